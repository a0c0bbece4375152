// A row of the audit log is proved to somebody who has neither our code nor our database: the proof, the checkpoint in it and
// its signature are read by Sigstore's verifier.

import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
// The parts of it that know nothing of Sigstore's own entries.
import { verifyCheckpoint } from "../node_modules/@sigstore/verify/dist/tlog/checkpoint.js";
import { verifyMerkleInclusion } from "../node_modules/@sigstore/verify/dist/tlog/merkle.js";
import { expect, logIn, sandbox, test } from "./product";

function ask(database: string, statement: string): string {
  return execFileSync("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]).toString().trim();
}

/** `name+id+key` of c2sp.org/signed-note, as Sigstore wants it. */
function authority(key: string) {
  const [name, id, ...rest] = key.trim().split("+");
  const raw = Buffer.from(rest.join("+"), "base64").subarray(1);
  // An Ed25519 key in the form of RFC 8410.
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  return { baseURL: name, logID: Buffer.from(id, "hex"), publicKey: createPublicKey({ key: der, format: "der", type: "spki" }) };
}

/** A proof of c2sp.org/tlog-proof. */
function parse(proof: string) {
  const at = proof.indexOf("\n\n");
  const [, extra, index, ...hashes] = proof.slice(0, at).split("\n");
  return {
    canonicalizedBody: Buffer.from(extra.replace("extra ", ""), "base64"),
    inclusionProof: {
      logIndex: index.replace("index ", ""),
      hashes: hashes.map((hash) => Buffer.from(hash, "base64")),
      checkpoint: { envelope: proof.slice(at + 2) },
    },
  };
}

function holds(proof: string, key: string): string {
  const entry = parse(proof);
  // Its types want a whole entry of Sigstore's; what is read is what stands here.
  verifyMerkleInclusion(entry as never, verifyCheckpoint(entry as never, [authority(key)] as never));
  return entry.canonicalizedBody.toString();
}

test("Sigstore's verifier takes our proofs, and none that was touched", () => {
  test.setTimeout(120_000);
  const main = process.env.JANGBU_DATABASE_URL!;
  const name = `log_${process.pid}`;
  ask(main, `create database ${name}`);
  const database = main.replace(/\/[^/?]*(\?.*)?$/, `/${name}$1`);
  const jangbu = (...args: string[]) =>
    execFileSync(process.env.JANGBU_BINARY!, args, {
      env: {
        ...process.env, DATABASE_URL: database, JANGBU_MODE: "sandbox", JANGBU_CLOCK_OFFSET_MS: "0", RUST_LOG: "error",
        TOSS_PAYMENTS_URL: sandbox, TOSS_PAYMENTS_SECRET_KEY: process.env.SANDBOX_SECRET_KEY!,
      },
      input: "만년필 백 자루와 잉크",
      stdio: ["pipe", "pipe", "pipe"],
    }).toString();
  for (const who of ["minji", "hangyeol", "seoha"]) {
    jangbu("--by", "이가온", "staff", "add", "--email", `${who}@jangbu.test`, "--name", who, "--role", "support", "--password-stdin");
  }
  expect(jangbu("audit", "verify")).toContain("the audit log is whole: 3 rows");
  const key = jangbu("audit", "key");
  const folder = mkdtempSync(join(tmpdir(), "jangbu-log-"));
  for (const seq of ask(database, "select seq from jangbu.audit order by seq").split("\n")) {
    const proof = jangbu("audit", "prove", seq);
    const row = JSON.parse(holds(proof, key));
    expect([row.seq, row.action, row.actor_name]).toEqual([Number(seq), "staff.added", "이가온"]);
    expect(() => holds(proof.replace(/extra ..../, "extra eyJT"), key)).toThrow();
    expect(() => holds(proof.replace(/\n3\n/, "\n4\n"), key)).toThrow();
    // Another key of the same name and number.
    const other = generateKeyPairSync("ed25519").publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    const [name, id] = key.split("+");
    const thief = [name, id, Buffer.concat([Buffer.from([1]), other]).toString("base64")].join("+");
    expect(() => holds(proof, thief)).toThrow("invalid checkpoint signature");
    // Ours says the same, without a database.
    const file = join(folder, `${seq}.tlog-proof`);
    writeFileSync(file, proof);
    const said = execFileSync(process.env.JANGBU_BINARY!, ["audit", "check-proof", file, "--key", key.trim()], { env: {} });
    expect(said.toString()).toContain("of a log of 3");
  }
});

test("the log reads as sentences, and one row has an address and a proof of its own", async ({ page }) => {
  await logIn(page, "finance");
  await page.goto("/audit");
  await expect(page.getByText("모든 기록이 봉인되고 있어요.")).toBeVisible();
  await page.getByLabel("작업").fill("staff.logged_in");
  await page.getByRole("button", { name: "검색", exact: true }).click();
  const row = page.locator("tbody tr").first();
  await expect(row).toContainText("로그인");
  await row.locator("td.seq a").click();
  await expect(page.getByRole("heading", { name: /감사 기록 \d+번/ })).toBeVisible();
  // It is sealed in a moment.
  const proof = page.getByText("봉인 증명", { exact: true });
  await expect(async () => {
    await page.reload();
    await expect(proof).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await proof.click();
  await expect(page.getByText("c2sp.org/tlog-proof@v1")).toBeVisible();
});
