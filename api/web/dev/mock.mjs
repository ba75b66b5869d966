// A development mock of the server: enough of /v1 to look at every screen of the page. It keeps everything in
// memory, checks no rights, speaks no media (the browser's offer stays unanswered) and is never shipped.
//
//   npm run build && npm run dev:mock      serves dist and the mock on http://127.0.0.1:8080
//   npm run dev                            Vite's server in front of it, with reloading
//
// Calls run through their states by themselves; the number decides how they end (see `scripts` in world.mjs).

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { routes } from "./routes.mjs";
import { calls, lastEventId, makeMeeting, meetings, PORT, sockets } from "./world.mjs";

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const DIST = fileURLToPath(new URL("../dist", import.meta.url));

async function answer(request, response) {
  const url = new URL(request.url, "http://mock");
  if (!url.pathname.startsWith("/v1/")) return serveFile(url.pathname, response);
  let text = "";
  for await (const chunk of request) text += chunk;
  const path = url.pathname.slice(3);
  for (const [method, pattern, handler] of routes) {
    const match = method === request.method && pattern.exec(path);
    if (!match) continue;
    const body = text === "" ? {} : JSON.parse(text);
    const result = handler(match.slice(1), body, request);
    const [status, data] = Array.isArray(result) ? result : [200, result];
    const cookie =
      path === "/login" && status === 200
        ? "partyline=mock; HttpOnly; SameSite=Strict; Path=/"
        : path === "/logout"
          ? "partyline=; Max-Age=0; Path=/"
          : null;
    response.writeHead(status, { "Content-Type": "application/json", ...(cookie ? { "Set-Cookie": cookie } : {}) });
    return response.end(data === undefined ? "" : JSON.stringify(data));
  }
  response.writeHead(404, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ title: `The mock has no ${request.method} ${path}`, status: 404 }));
}

const TYPES = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};

async function serveFile(path, response) {
  const file = extname(path) === "" ? "index.html" : normalize(path);
  try {
    const body = await readFile(join(DIST, file));
    response.writeHead(200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
      "Content-Security-Policy": CSP,
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(JSON.stringify({ title: String(error) })));
});

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const query = new URL(request.url, "http://mock").searchParams;
  const meeting = meetings.get(query.get("meeting"));
  if (!meeting) return socket.close();
  socket.meeting = meeting.id;
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  const { people, ...facts } = meeting;
  const running = [...calls.values()].filter((call) => call.meeting === meeting).map((call) => call.view);
  socket.send(
    JSON.stringify({
      type: "snapshot",
      id: lastEventId(),
      data: { meeting: facts, people, calls: running, slots: {}, active_speaker: null },
    }),
  );
});

makeMeeting({
  title: "Weekly sync",
  people: [{ user: "u101", role: "presenter" }, { user: "u102" }, { number: "+12025550177" }],
});
makeMeeting({ title: "Harbour project: supplier call", type: "presentation" });
server.listen(PORT, "127.0.0.1", () =>
  console.log(`development mock on http://127.0.0.1:${PORT} (any demo user: hana / hana-demo)`),
);
