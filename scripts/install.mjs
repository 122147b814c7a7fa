// Builds the native addon in native/build with cmake-js: the `install` script of the package and `npm run build:native`.
// CMake finds OpenBLAS, says what to install where it does not, and builds only what has changed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const missing = missingTools();
if (missing.length > 0) {
  console.error(
    [
      `factored-svd builds its native addon here and did not find ${missing.join(' and ')}.`,
      'Install what is missing, then run the installation again:',
      ...installCommands().map((command) => `    ${command}`),
    ].join('\n'),
  );
  process.exit(1);
}
cmakeJs('configure');
cmakeJs('build', '--parallel', String(availableParallelism()));

function cmakeJs(command, ...options) {
  const bin = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const args = [
    bin,
    command,
    '--out',
    'native/build',
    '--config',
    'Release',
    '--log-level',
    'error',
    ...options,
  ];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** What CMake cannot report itself. On Windows cmake-js looks for Visual Studio and reports its absence. */
function missingTools() {
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
  const commands = JSON.parse(
    readFileSync(new URL('../native/system-packages.json', import.meta.url), 'utf8'),
  );
  const known = systemIds().find((id) => id in commands);
  return known === undefined ? Object.values(commands) : [commands[known]];
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
