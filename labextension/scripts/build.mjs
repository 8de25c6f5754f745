// node scripts/build.mjs [--development] [--stage]
// esbuild bundles the stage (an anywidget module, and a page's script); tsc and rspack make the JupyterLab extension.
// --development: the extension readable, with source maps; the stage is always the one that ships.
// --stage: the stage alone, in milliseconds.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const development = process.argv.includes('--development');
const require = createRequire(import.meta.url);

/** A file inside an installed package. */
const inside = (name, ...path) => join(dirname(require.resolve(`${name}/package.json`)), ...path);

/** Run a script with this node; stop the build when it fails. */
function node(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: home, stdio: 'inherit' });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
}

/** The stage as an anywidget module, and as the script of an exported page. */
const bundles = [
  { entryPoints: ['src/stage/index.ts'], outfile: '../natslab/views/static/stage.js', format: 'esm' },
  { entryPoints: ['src/page/index.ts'], outfile: '../natslab/views/static/page.js', format: 'iife' }
];
for (const bundle of bundles) {
  await build({
    absWorkingDir: home,
    ...bundle,
    bundle: true,
    target: 'es2022',
    charset: 'utf8',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning'
  });
}

if (!process.argv.includes('--stage')) {
  if (!development) {
    for (const path of ['lib', 'tsconfig.tsbuildinfo', '../natslab/labextension']) {
      rmSync(join(home, path), { recursive: true, force: true });
    }
  }
  node(inside('typescript', 'lib', 'tsc.js'));
  node(
    inside('@jupyter/builder', 'lib', 'build-labextension.js'),
    '--core-package-file',
    inside('@jupyterlab/core-meta', 'core.package.json'),
    ...(development ? ['--development'] : []),
    home
  );
}
