// node scripts/test.mjs: bundles test/*.test.ts and runs them in node. They need no browser and no JupyterLab.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const names = readdirSync(join(home, 'test')).filter(name => name.endsWith('.test.ts'));
const out = mkdtempSync(join(tmpdir(), 'natslab-test-'));
let status = 1;
try {
  await build({
    absWorkingDir: home,
    entryPoints: names.map(name => `test/${name}`),
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'warning'
  });
  const files = names.map(name => join(out, name.replace(/\.ts$/, '.mjs')));
  ({ status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], { stdio: 'inherit' }));
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exit(status ?? 1);
