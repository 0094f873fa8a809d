"""click: parse, call one function, print. Heavy imports happen inside the commands."""
