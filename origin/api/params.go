package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// maxBody is how long the body of a request may be.
const maxBody = 1 << 20

// params are the parameters of a request, wherever they came from.
type params map[string]any

// params reads the query and the body; what the body says counts more.
func (c *call) params() (params, error) {
	p := params{}
	if err := p.addQuery(c.URL.RawQuery); err != nil {
		return nil, err
	}
	if c.Method == http.MethodGet || c.Method == http.MethodDelete {
		return p, nil // a client that sends {} here means nothing by it
	}
	body, err := io.ReadAll(c.Body)
	if err != nil {
		return nil, wire.BodyProblem(err)
	}
	return p, p.addBody(c.Header.Get("Content-Type"), body)
}

func badRequest(format string, args ...any) error {
	return wire.NewProblem(http.StatusBadRequest, "Bad request: "+fmt.Sprintf(format, args...))
}

// addBody adds the parameters of a body. Without a content type, a body in
// braces is JSON and any other a form.
func (p params) addBody(contentType string, body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !utf8.Valid(body) && !strings.HasPrefix(contentType, "multipart/") {
		return badRequest("body is not valid UTF-8")
	}
	kind, opts, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return badRequest("content type %.100q cannot be read", contentType)
	}
	switch {
	case kind == "multipart/form-data":
		return p.addMultipart(body, opts["boundary"])
	case kind == "application/json", strings.HasSuffix(kind, "+json"), kind == "" && body[0] == '{':
		return p.addJSON(body)
	case kind == "application/x-www-form-urlencoded", kind == "":
		return p.addQuery(string(body))
	}
	return badRequest("content type %.100q is not supported: send JSON or a form", kind)
}

func (p params) addJSON(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return badRequest("body is not a JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return badRequest("body goes on after the JSON object")
	}
	for name, v := range object {
		if v != nil {
			p[name] = v
		}
	}
	return nil
}

func (p params) addQuery(text string) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return badRequest("parameters cannot be read: %v", err)
	}
	return p.addValues(values)
}

// addValues adds parameters that are lists of texts by nature: "tags[]" is
// one by name, any other keeps its last value.
func (p params) addValues(values map[string][]string) error {
	for name, list := range values {
		for _, v := range list {
			if !utf8.ValidString(v) || !utf8.ValidString(name) {
				return badRequest("parameter %q is not valid UTF-8", name)
			}
		}
		if plain, ok := strings.CutSuffix(name, "[]"); ok {
			all := make([]any, len(list))
			for i, v := range list {
				all[i] = v
			}
			p[plain] = all
			continue
		}
		p[name] = list[len(list)-1]
	}
	return nil
}

func (p params) addMultipart(body []byte, boundary string) error {
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(maxBody)
	if err != nil {
		return badRequest("multipart body cannot be read")
	}
	defer form.RemoveAll() // nothing is on disk: the body is smaller than the limit above
	for name := range form.File {
		return chat.Invalid{name: {"is a file, which is not supported here"}}
	}
	return p.addValues(form.Value)
}

// has says whether a parameter was given.
func (p params) has(name string) bool { _, ok := p[name]; return ok }

// text returns a parameter as text; "" when it was not given.
func (p params) text(bad chat.Invalid, name string) string {
	switch v := p[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	bad.Add(name, "must be text")
	return ""
}

// number returns a parameter that must be a whole number of at least low;
// missing when it was not given.
func (p params) number(bad chat.Invalid, name string, low, missing int64) int64 {
	text := p.text(bad, name)
	if text == "" {
		return missing
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low {
		bad.Add(name, "must be a whole number from %d", low)
		return missing
	}
	return n
}

// flag returns a parameter that says yes or no.
func (p params) flag(bad chat.Invalid, name string) bool {
	switch p.text(bad, name) {
	case "1", "true":
		return true
	case "", "0", "false":
		return false
	}
	bad.Add(name, "must be true or false")
	return false
}

// list returns a parameter that is a list, or a text with commas, of at most
// chat.MaxListed items.
func (p params) list(bad chat.Invalid, name string) []string {
	out := p.items(bad, name)
	if len(out) > chat.MaxListed {
		bad.Add(name, "are too many (maximum is %d)", chat.MaxListed)
		return nil
	}
	return out
}

func (p params) items(bad chat.Invalid, name string) []string {
	var out []string
	switch v := p[name].(type) {
	case nil:
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				bad.Add(name, "must be a list of texts")
				return nil
			}
			out = append(out, strings.TrimSpace(text))
		}
	default:
		for item := range strings.SplitSeq(p.text(bad, name), ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}
