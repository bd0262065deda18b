"use strict";
(() => {
  const state = JSON.parse(document.getElementById("state").textContent);
  const status = document.getElementById("status");
  if (!state.flow) {
    status.textContent = "";
    return;
  }
  const log = document.getElementById("log");
  const text = document.getElementById("text");
  const composer = document.getElementById("composer");
  const typing = document.getElementById("typing");
  const names = new Map(state.flow.users.map((u) => [String(u.id), u.nick]));
  const rows = new Map(); // message id -> its row
  const unsent = new Map(); // uuid -> {frame, row}: kept until acknowledged, sent again after a reconnect
  let cursor = state.cursor;
  let socket = null;
  let failures = 0;
  let newest = state.messages.at(-1)?.id ?? 0;
  let marked = 0;
  let marking = 0;

  const say = (what, live) => {
    status.textContent = what;
    status.classList.toggle("live", live);
  };

  const element = (name, className, content) => {
    const e = document.createElement(name);
    e.className = className;
    e.textContent = content;
    return e;
  };

  // row makes the line of one message and keeps the newest in view, unless
  // the reader has scrolled back.
  const row = (who, what, sent, className) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const li = element("li", className, "");
    const when = new Date(sent);
    const time = element("time", "", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = when.toISOString();
    time.title = when.toLocaleString();
    li.append(element("span", "who", who), element("span", "what", what), time);
    log.append(li);
    if (atEnd) li.scrollIntoView({ block: "end" });
    return li;
  };

  // outsider marks a line whose author chose the name: it may be anybody's.
  const outsider = (li) => {
    const badge = element("span", "outside", "outside");
    badge.title = "Posted under a name of its own, not by a member of this name";
    li.querySelector(".who").prepend(badge, " ");
  };

  const author = (m) => m.external_user_name || names.get(m.user) || "user " + m.user;
  const body = (content) => (typeof content === "string" ? content : content.text ?? "");
  const setText = (li, words, note) => {
    li.querySelector(".what").textContent = words;
    li.querySelector(".note")?.remove();
    if (note) li.querySelector(".what").append(element("span", "note", " (" + note + ")"));
  };
  const gone = (li) => {
    li.className = "gone";
    setText(li, "deleted");
  };

  const show = (m) => {
    switch (m.event) {
      case "message":
      case "status":
      case "line":
      case "comment": {
        if (rows.has(m.id)) return;
        const mine = unsent.get(m.uuid);
        if (mine) {
          mine.row.remove();
          unsent.delete(m.uuid);
        }
        const li = row(author(m), body(m.content), m.sent, m.event === "message" || m.event === "comment" ? "" : "act");
        rows.set(m.id, li);
        if (m.external_user_name) outsider(li);
        if (m.deleted) gone(li);
        else if (m.edited) setText(li, body(m.content), "edited");
        return;
      }
      case "message-edit": {
        const li = rows.get(m.content.message);
        if (li && li.className !== "gone") setText(li, body(m.content.updated_content), "edited");
        return;
      }
      case "message-delete": {
        const li = rows.get(m.content.message);
        if (li) gone(li);
        return;
      }
      case "action":
        if (!rows.has(m.id)) rows.set(m.id, row(author(m), m.content.type === "join" ? "joined" : m.content.type, m.sent, "act"));
        return;
      case "activity.user":
        if (m.user === String(state.user.id)) return;
        typing.textContent = author(m) + " is typing…";
        clearTimeout(show.timer);
        show.timer = setTimeout(() => (typing.textContent = ""), 3000);
    }
  };

  const send = (frame) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  };

  // markSeen tells what the reader has before their eyes, now and then.
  const markSeen = () => {
    if (marking || newest <= marked || document.visibilityState !== "visible") return;
    marking = setTimeout(() => {
      marking = 0;
      marked = newest;
      send({ t: "seen", flow: state.flow.id, id: marked });
    }, 2000);
  };
  document.addEventListener("visibilitychange", markSeen);

  const hear = (f) => {
    switch (f.t) {
      case "ready":
        failures = 0;
        cursor = f.cursor;
        say("Live", true);
        for (const { frame } of unsent.values()) send(frame);
        markSeen();
        return;
      case "ev":
        cursor = f.c;
        show(f.e);
        if (f.e.id) newest = f.e.id;
        markSeen();
        return;
      case "nack": {
        const it = unsent.get(f.uuid);
        if (!it) return;
        unsent.delete(f.uuid);
        it.row.className = "failed";
        const why = Object.entries(f.errors ?? {}).map(([field, faults]) => field + " " + faults.join(", "));
        setText(it.row, it.frame.content, "not sent: " + (why.join("; ") || f.message));
        return;
      }
      case "error":
        say(f.message, false);
    }
  };

  const connect = () => {
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
    socket.onopen = () => send({ t: "hello", cursor, filter: [state.flow.id] });
    socket.onmessage = (e) => hear(JSON.parse(e.data));
    socket.onclose = (e) => {
      if (e.code === 1008) { // not signed in any more
        location.reload();
        return;
      }
      say("Reconnecting…", false);
      const wait = Math.min(10000, 250 * 2 ** failures++) * (0.5 + Math.random());
      setTimeout(connect, wait);
    };
  };

  composer.addEventListener("submit", (e) => {
    e.preventDefault();
    const content = text.value.trim();
    if (!content) return;
    const uuid = crypto.randomUUID();
    const frame = { t: "send", uuid, flow: state.flow.id, event: "message", content };
    unsent.set(uuid, { frame, row: row(state.user.nick, content, Date.now(), "waiting") });
    send(frame);
    text.value = "";
  });
  text.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      composer.requestSubmit();
    }
  });
  text.addEventListener("input", () => send({ t: "typing", flow: state.flow.id }));

  state.messages.forEach(show);
  log.scrollTop = log.scrollHeight;
  connect();
  text.focus();
})();
