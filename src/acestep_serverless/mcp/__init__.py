"""Words for agents: tools over the Model Context Protocol. They call an endpoint, or the engine of this machine."""
