module example

go 1.26.0

// WebSockets.
require github.com/gorilla/websocket v1.5.3
