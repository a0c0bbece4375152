import { defineConfig } from "@playwright/test";

const need = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`cargo xtask test\``);
  return value;
};

// Chromium's own background traffic is switched off: it would only wait for a network that a test does not need.
const quiet = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export default defineConfig({
  testDir: "tests",
  outputDir: process.env.RESULTS ?? "test-results",
  timeout: 45_000,
  workers: 2,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: need("JANGBU_URL"),
    locale: "ko-KR",
    timezoneId: "Asia/Seoul",
    viewport: { width: 1440, height: 900 },
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: { executablePath: need("CHROMIUM"), args: quiet },
  },
  projects: [
    { name: "with JavaScript", testMatch: /.*\.spec\.ts/ },
    { name: "without JavaScript", testMatch: /.*\.plain\.spec\.ts/, use: { javaScriptEnabled: false } },
  ],
});
