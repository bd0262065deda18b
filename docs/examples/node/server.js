// A small web application: a page, uploads, a WebSocket, server-sent events.
// PORT=3000 npm start; it listens on 127.0.0.1, where the mesh brings requests.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { WebSocketServer } from 'ws'

const page = await readFile(new URL('page.html', import.meta.url))

// The edge sets these headers and removes what clients claim in them. They
// can be believed because only Landfall reaches 127.0.0.1.
const visitor = req => ({
  address: req.headers['x-forwarded-for'] ?? req.socket.remoteAddress,
  region: req.headers['x-landfall-region'] ?? '',
  request: req.headers['x-request-id'] ?? '',
})

const routes = {
  'GET /': (req, res) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(page),
  'GET /health': (req, res) => res.end('ok\n'),
  'POST /upload': upload,
  'GET /clock': clock,
}

// upload hashes the body as it comes in; nothing is kept.
async function upload(req, res) {
  const hash = createHash('sha256')
  let size = 0
  await pipeline(req, async chunks => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      size += chunk.length
    }
  })
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify({ size, sha256: hash.digest('hex'), ...visitor(req) }) + '\n')
}

// clock sends the time now and every second, until the client has gone.
function clock(req, res) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  if (req.method === 'HEAD') return res.end()
  const tell = () => res.write(`data: ${new Date().toISOString()}\n\n`)
  tell()
  const timer = setInterval(tell, 1000)
  res.on('close', () => clearInterval(timer))
}

const server = createServer((req, res) => {
  const path = req.url.split('?', 1)[0]
  const route = routes[`${req.method === 'HEAD' ? 'GET' : req.method} ${path}`]
  if (!route) return res.writeHead(404).end('not found\n')
  Promise.resolve(route(req, res)).catch(err => {
    console.error(`${req.method} ${path}: ${err.message}`)
    res.destroy()
  })
})

// Browsers say which page opens a WebSocket; only pages of this host may.
const ours = ({ origin, req }) => !origin || [`https://${req.headers.host}`, `http://${req.headers.host}`].includes(origin)

// The WebSocket says who the client is, then echoes.
const sockets = new WebSocketServer({ server, path: '/echo', maxPayload: 1 << 16, verifyClient: ours })
sockets.on('connection', (socket, req) => {
  socket.send(JSON.stringify(visitor(req)))
  socket.on('message', (data, binary) => socket.send(data, { binary }))
  socket.on('error', err => console.error(`echo: ${err.message}`))
})

process.once('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(1001)
  server.close()
  server.closeAllConnections()
})

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
