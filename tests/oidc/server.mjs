// A real OpenID Connect provider on loopback: node server.mjs CLIENT_SECRET REDIRECT_URI [MAIL]
// Prints its issuer in one line, then serves until it is told to stop. Everybody who asks is MAIL.
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const [secret, redirectUri, mail = 'pia@acme.test'] = process.argv.slice(2)
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'partyline', client_secret: secret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    // The claims stand in the ID token itself.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['test'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, email: mail, email_verified: true }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  })
  const callback = provider.callback()
  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response)
    try {
      // Whoever comes here is logged in and agrees, without being asked.
      const { prompt, params, session } = await provider.interactionDetails(request, response)
      if (prompt.name === 'login') {
        return await provider.interactionFinished(request, response, { login: { accountId: `sub of ${mail}` } })
      }
      const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
      grant.addOIDCScope(params.scope)
      const grantId = await grant.save()
      await provider.interactionFinished(request, response, { consent: { grantId } })
    } catch (error) {
      response.writeHead(500).end(String(error))
    }
  })
  console.log(issuer)
})
process.on('SIGTERM', () => process.exit(0))
