// Package api is the REST API of the chat, which is Flowdock's: a request
// goes in, is authenticated and authorized, and what it asks for is read from
// or handed to the message backend. What is not built answers 404 in the form
// of the API, as any unknown path does.
//
// Parameters may come as JSON, as a form, as multipart or in the query, and
// errors have the form {"message": …, "errors": {field: […]}}.
package api
