"""What a server takes: a load of many clients, measured."""
