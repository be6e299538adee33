// node:http, but only what is asked for. Imported as a module, all that it exports is looked at,
// also the WebSocket that is loaded when somebody looks (lib/http.js): and with it undici, HTTP/2,
// TLS and zlib, for which a command would wait a quarter of its time.

export const { createServer, request } = process.getBuiltinModule('node:http')
