package chat

import (
	"encoding/json"
	"testing"
)

func TestFlowIDText(t *testing.T) {
	id := NewFlowID([16]byte{0xff, 1, 2, 3, 4, 5, 0xff, 7, 0xff, 9, 10, 11, 12, 13, 14, 15})
	const want = "ff010203-0405-4f07-bf09-0a0b0c0d0e0f"
	if id.String() != want {
		t.Fatalf("String = %s, want %s", id, want)
	}
	for _, text := range []string{want, "FF010203-0405-4F07-BF09-0A0B0C0D0E0F"} {
		if got, err := ParseFlowID(text); err != nil || got != id {
			t.Errorf("ParseFlowID(%s) = %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", want + "0", want[1:], "ff010203-0405-4f07-bf09-0a0b0c0d0e0g", "ff0102030-405-4f07-bf09-0a0b0c0d0e0f"} {
		if got, err := ParseFlowID(text); err == nil || got != (FlowID{}) {
			t.Errorf("ParseFlowID(%q) = %s, %v", text, got, err)
		}
	}
	b, err := json.Marshal(map[string]FlowID{"f": id})
	if err != nil || string(b) != `{"f":"`+want+`"}` {
		t.Errorf("JSON %s, %v", b, err)
	}
}

func TestParseFlowRef(t *testing.T) {
	id := NewFlowID([16]byte{1})
	for _, test := range []struct {
		text string
		want FlowRef
	}{
		{id.String(), FlowRef{ID: id}},
		{"acme/main", FlowRef{Org: "acme", Slug: "main"}},
		{"Acme:Main", FlowRef{Org: "acme", Slug: "main"}},
	} {
		if got, err := ParseFlowRef(test.text); err != nil || got != test.want {
			t.Errorf("ParseFlowRef(%s) = %+v, %v", test.text, got, err)
		}
	}
	for _, text := range []string{"", "acme", "acme/", "/main", "a/b/c", "a:b/c"} {
		if got, err := ParseFlowRef(text); err == nil {
			t.Errorf("ParseFlowRef(%q) = %+v", text, got)
		}
	}
}

func TestThreadOf(t *testing.T) {
	a, b := NewFlowID([16]byte{1}), NewFlowID([16]byte{2})
	thread := ThreadOf(a, "u")
	if len(thread) != 27 || thread != ThreadOf(a, "u") || thread == ThreadOf(b, "u") || thread == ThreadOf(a, "v") {
		t.Errorf("threads %s %s %s", thread, ThreadOf(b, "u"), ThreadOf(a, "v"))
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Main": "main", "  Öl & Gas, Inc. ": "öl-gas-inc", "a--b__c": "a-b-c", "!?": "", "日本 語": "日本-語",
	} {
		if got := Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestCheckNick(t *testing.T) {
	for _, nick := range []string{"ann", "Ann_2", "a-b", "Jörg"} {
		if fault := CheckNick(nick); fault != "" {
			t.Errorf("CheckNick(%q): %s", nick, fault)
		}
	}
	for _, nick := range []string{"", "a b", "-a", "a-", "a--b", "@ann", "all", "Everyone", "a.b", string(make([]byte, 65))} {
		if CheckNick(nick) == "" {
			t.Errorf("CheckNick(%q) finds nothing", nick)
		}
	}
}

func TestVisibility(t *testing.T) {
	for _, test := range []struct {
		name                      string
		active, colleague, joined bool
		access                    AccessMode
		want                      Visibility
	}{
		{"a member", true, true, true, AccessInvitation, Full},
		{"a colleague, open to all", true, true, false, AccessOrganization, Listed},
		{"a colleague, by invitation", true, true, false, AccessInvitation, Hidden},
		{"a colleague, by link", true, true, false, AccessLink, Hidden},
		{"a stranger", true, false, false, AccessOrganization, Hidden},
		{"a member who left the organization", true, false, true, AccessOrganization, Hidden},
		{"a member of a closed organization", false, true, true, AccessOrganization, Hidden},
	} {
		s := Standing{Flow: Flow{Org: Organization{Active: test.active}, Access: test.access}, Colleague: test.colleague, Joined: test.joined}
		if got := s.Visibility(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if see, enter := s.See() == nil, s.Enter() == nil; see != (test.want >= Listed) || enter != (test.want == Full) {
			t.Errorf("%s: see %v, enter %v", test.name, see, enter)
		}
	}
}
