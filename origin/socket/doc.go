// Package socket is the WebSocket of the chat, for clients that read and
// write over one connection: frames of JSON go in and out.
//
//	client                                server
//	{"t":"hello","token":…,"cursor":…,
//	 "filter":[…]}                        {"t":"ready","cursor":…,"gap":n,"user":7}
//	                                      {"t":"ev","c":"<cursor>","e":{message}}
//	{"t":"send","uuid":…,"flow":…,
//	 "content":…}                         {"t":"ack","uuid":…,"id":n}
//	                                      {"t":"nack","uuid":…,"message":…,"errors":{…}}
//	{"t":"typing","flow":…}
//	{"t":"seen","flow":…,"id":n}
//	                                      {"t":"error","message":…}
//	                                      {"t":"moved","after":ms}
//
// An ack comes after the durable commit; it and the echo of the message come
// in any order, with the same id. Hello is the first frame of a client, and
// needs a token unless the request had one or a session. Once that is dropped
// the connection is closed with 1008 (policy violation). The package is the
// only one that imports gorilla/websocket, and does nothing beyond what the
// message backend offers.
package socket
