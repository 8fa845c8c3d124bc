"""`cnnkit serve`: models over HTTP. FastAPI and uvicorn are the extra `serve`."""
