"""What is real: nats-servers, their accounts, and clients; knows nothing of who watches."""
