"""Deep agents: populations of networks, of which all members learn in the same few products a step."""
