"""How peers in Python are served: as Fleetbeat is."""

from typing import Any

import uvicorn


def serve(application: Any, port: int) -> None:
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        backlog=2048,
    )
    uvicorn.Server(config).run()
