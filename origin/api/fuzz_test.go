package api

import (
	"testing"
	"unicode/utf8"

	"landfall/origin/chat"
)

// FuzzParams reads parameters from any body of any kind: whatever comes out
// is text that stores can keep, or a fault that can be told.
func FuzzParams(f *testing.F) {
	f.Add("application/json", []byte(`{"content":"x","tags":["a","#b"],"message":7,"open":true,"n":null}`), "limit=3&tags=a,b")
	f.Add("application/x-www-form-urlencoded", []byte("content=x&tags[]=a&tags[]=b"), "")
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\nhi\r\n--x--\r\n"), "")
	f.Add("", []byte("{}"), "event=message&content=hi")
	f.Add("", []byte("a=%ff"), "%")
	f.Fuzz(func(t *testing.T, contentType string, body []byte, query string) {
		p := params{}
		if p.addQuery(query) != nil || p.addBody(contentType, body) != nil {
			return
		}
		bad := chat.Invalid{}
		for name := range p {
			p.number(bad, name, 0, 0)
			p.flag(bad, name)
			texts := append(p.list(bad, name), p.text(bad, name))
			for _, text := range texts {
				if !utf8.ValidString(text) {
					t.Errorf("parameter %q has %q", name, text)
				}
			}
		}
		q, err := p.query()
		if err == nil && (q.Limit < 0 || q.Limit > maxLimit || q.Since < 0 || q.Until < 0 || q.Skip < 0) {
			t.Errorf("query %+v", q)
		}
	})
}
