import { defineConfig } from "vitest/config";

// The page is served under `Content-Security-Policy: default-src 'self'`: nothing may be inlined,
// neither as a script or style element nor as a data: address.
export default defineConfig({
  build: {
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    port: 5173,
    proxy: { "/v1": { target: "http://127.0.0.1:8080", ws: true } },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
