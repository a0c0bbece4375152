// The house next door: a provider of OpenID Connect as many run one, `oidc-provider`, with a few people in memory and
// nothing to remember but a click on a name. `provider.mjs <port> <address of the dashboard>`; it says "ready" once it is.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [port, dashboard] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const person = (name, groups, amr) => ({ name, groups, amr });
const people = {
  minji: person("김민지", ["support-team", "guests"], ["pwd", "otp"]),
  dohyun: person("박도현", ["finance"], ["pwd"]),
  gaon: person("이가온", ["admins"], ["pwd", "hwk"]),
  guest: person("손님", ["guests"], ["pwd", "otp"]),
};

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [{
    client_id: "jangbu",
    client_secret: "a secret of the tests",
    redirect_uris: [`${dashboard}/login/oidc/callback`],
    post_logout_redirect_uris: [`${dashboard}/login`],
    backchannel_logout_uri: `${dashboard}/login/oidc/backchannel-logout`,
    backchannel_logout_session_required: true,
  }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }] },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub", "amr", "auth_time"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"],
  },
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({
      sub: id, name: people[id].name, groups: people[id].groups, email: `${id}@next.example`, email_verified: true,
    }),
  },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        const yes = '<button type="submit" form="op.logoutForm" name="logout" value="yes">나가기</button>';
        ctx.body = `<!DOCTYPE html><html lang="ko"><title>옆집</title>${form}${yes}</html>`;
      },
      postLogoutSuccessSource: (ctx) => { ctx.body = "<!DOCTYPE html><title>옆집</title><h1>나갔어요</h1>"; },
    },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Whoever works here has agreed already.
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email groups");
    await grant.save();
    return grant;
  },
  pkce: { required: () => true },
  ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 600, AccessToken: 600 },
  // The dashboard of a test listens on this machine, which the provider's own dispatcher does not call.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
});
provider.on("server_error", (_, error) => console.error(error));
provider.on("backchannel.error", (_, error) => console.error(error));

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

async function interaction(request, response) {
  if (request.method === "POST") {
    const accountId = (await bodyOf(request)).get("who");
    const login = { accountId, amr: people[accountId].amr };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const names = Object.entries(people).map(([id, { name }]) => `<button name="who" value="${id}">${name}</button>`);
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!DOCTYPE html><html lang="ko"><title>옆집</title><h1>누구세요?</h1><form method="post">${names.join(" ")}</form>`);
}

/** What a test changes: somebody's groups. */
async function control(request, response) {
  const wish = await bodyOf(request);
  people[wish.get("who")].groups = wish.getAll("group");
  response.end();
}

const serve = provider.callback();
createServer((request, response) => {
  const handler = request.url.startsWith("/interaction/") ? interaction : request.url === "/_control" ? control : serve;
  Promise.resolve(handler(request, response)).catch((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end();
  });
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
