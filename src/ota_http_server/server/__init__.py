"""Running the application: gunicorn with our own gevent worker, TLS, signals, transfers."""
