// Builds the native addon in native/build with cmake-js: `npm run build:native` of a checkout, and of an installed package
//     node node_modules/factored-svd/native/build.mjs [--source SPEC]
// which takes the sources from the package factored-svd-source of the same version, or from SPEC, what npm installs it from (a
// tarball, say). CMake finds OpenBLAS, says what to install where it does not, and builds only what has changed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, 'native/build/tools');

const missing = missingPrograms();
if (missing.length > 0) {
  console.error(
    [
      `factored-svd builds its native addon here and did not find ${missing.join(' and ')}.`,
      'Install what is missing, then run this again:',
      ...installCommands().map((command) => `    ${command}`),
    ].join('\n'),
  );
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { values } = parseArgs({ options: { source: { type: 'string' } } });
const sources = sourceFolder(values.source);
const cmakeJs = resolved('cmake-js/bin/cmake-js') ?? installedTools('cmake-js/bin/cmake-js');
build('configure');
build('build', '--parallel', String(availableParallelism()));

function build(command, ...options) {
  const out = join(root, 'native/build');
  const common = ['--directory', sources, '--out', out, '--config', 'Release', '--log-level', 'error'];
  // CMake asks Node for the folder of node-addon-api, which may be among the tools.
  run(process.execPath, [cmakeJs, command, ...common, ...options], {
    NODE_PATH: join(tools, 'node_modules'),
  });
}

/** The build tools of a checkout are in its node_modules; those of an installed package are installed when they are needed. */
function resolved(module) {
  const require = createRequire(import.meta.url);
  try {
    require.resolve('node-addon-api', { paths: [root, tools] });
    return require.resolve(module, { paths: [root, tools] });
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function installedTools(module) {
  const packages = ['cmake-js', 'node-addon-api'].map((name) => `${name}@${manifest.devDependencies[name]}`);
  install(tools, packages);
  return resolved(module);
}

/** The C++ sources: of a checkout, or of a package that is installed for this build. */
function sourceFolder(spec) {
  if (spec === undefined && existsSync(join(root, 'CMakeLists.txt'))) return root;
  const name = `${manifest.name}-source`;
  const fetched = join(root, 'native/build/source');
  install(fetched, [spec === undefined ? `${name}@${manifest.version}` : fileOr(spec)]);
  const folder = join(fetched, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (version === manifest.version) return folder;
  console.error(`${spec} has the sources of ${version}, and this is ${manifest.name} ${manifest.version}`);
  process.exit(1);
}

/** npm runs in another folder. */
function fileOr(spec) {
  return existsSync(spec) ? resolve(spec) : spec;
}

function install(prefix, packages) {
  console.log(`installing ${packages.join(' and ')} for this build`);
  const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', '--prefix', prefix, ...quiet, ...packages]);
}

function run(program, args, env = {}) {
  const shell = process.platform === 'win32' && program === 'npm'; // npm is a script there
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, ...env }, shell };
  const { status, error } = spawnSync(program, args, options);
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** What CMake cannot report itself. On Windows cmake-js looks for Visual Studio and reports its absence. */
function missingPrograms() {
  const needed = [['cmake', ['cmake']]];
  if (process.platform !== 'win32') {
    needed.push(['a C++ compiler (g++ or clang++)', ['g++', 'clang++']], ['make', ['make', 'ninja']]);
  }
  return needed.filter(([, programs]) => !programs.some(runs)).map(([name]) => name);
}

function runs(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The command that installs all of it here; one for each known system where this one is not known. */
function installCommands() {
  const systems = JSON.parse(readFileSync(join(root, 'native/system-packages.json'), 'utf8'));
  const known = systemIds().find((id) => id in systems);
  return (known === undefined ? Object.values(systems) : [systems[known]]).map(({ build }) => build);
}

function systemIds() {
  if (process.platform !== 'linux') return [process.platform];
  try {
    const fields = readFileSync('/etc/os-release', 'utf8').matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)/gm);
    return Array.from(fields, ([, ids]) => ids.split(' ')).flat();
  } catch {
    return [];
  }
}
