"""Which endpoints exist, which keys open them, and which workers have been seen?"""
