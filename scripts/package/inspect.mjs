// What the addon of a platform package may need and may show: of the system the C library alone, of the process the
// functions of Node-API, and to the process the two functions that Node asks for.
import { execFileSync } from 'node:child_process';

const entries = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const libraries = {
  // Threads had a library of their own before glibc 2.34.
  glibc: /^(libc|libm|libpthread|ld-linux-x86-64|ld-linux-aarch64)\.so\.\d+$/,
  musl: /^libc\.musl-\w+\.so\.1$|^libc\.so$/,
};

// Of every Windows; and the process itself.
const systemDll = /^(node\.exe|kernel32\.dll|msvcrt\.dll|ucrtbase\.dll|api-ms-win-crt-.*\.dll)$/i;

/** What keeps the file from being the addon of the platform, in words; empty when nothing does. */
export function inspect(file, { os: [os], libc: [libc] = [], glibc }) {
  if (os === 'linux') return inspectElf(file, libraries[libc], glibc);
  if (os === 'darwin') return inspectMach(file);
  return inspectPe(file);
}

function inspectElf(file, allowed, glibc) {
  const needed = all(output('readelf', '-dW', file), /\(NEEDED\).*\[(.+)\]/g);
  const symbols = Array.from(
    output('readelf', '-W', '--dyn-syms', file).matchAll(
      /^ *\d+: \w+ +\S+ \w+ +(?<bind>\w+) +\w+ +(?:\[.*\] +)?(?<section>\w+) (?<name>[^@\s]+)(?:@+(?<version>\S+))?/gm,
    ),
    ({ groups }) => groups,
  );
  const exported = symbols.filter(({ section, bind }) => section !== 'UND' && bind !== 'LOCAL');
  const imported = symbols.filter(({ section, bind }) => section === 'UND' && bind !== 'WEAK');
  return [
    ...unlike(needed, (name) => allowed.test(name), 'needs the library'),
    ...unlike(
      exported.map(({ name }) => name),
      (name) => entries.includes(name),
      'shows the symbol',
    ),
    ...missingEntries(exported.map(({ name }) => name)),
    ...imported
      .filter(({ name, version }) => !version && glibc && !isNodeApi(name))
      .map(({ name }) => `needs the symbol ${name}, and says of no library`),
    ...(glibc ? tooNew(file, imported, glibc) : []),
    // Which glibc 2.41 does not give to a library that is loaded later.
    ...(/GNU_STACK .* RWE /.test(output('readelf', '-lW', file))
      ? ['needs a stack that can be executed']
      : []),
  ];
}

/** Versions of glibc beyond the oldest, each with the symbols that ask for it; it may be none of them, but the format of the file. */
function tooNew(file, imported, glibc) {
  const versions = all(output('readelf', '-VW', file), /Name: (GLIBC_\S+)/g);
  return [...new Set(versions)]
    .filter((version) => !/^GLIBC_[\d.]+$/.test(version) || isNewer(version.slice(6), glibc))
    .map((version) => {
      const names = imported.filter((symbol) => symbol.version === version).map(({ name }) => name);
      return `needs ${names.join(', ') || 'a dynamic loader'} of ${version}, newer than glibc ${glibc}`;
    });
}

function inspectMach(file) {
  const needed = all(output('otool', '-L', file), /^\t(\S+) \(/gm).filter(
    (name) => !name.endsWith('factored_svd.node'),
  );
  const exported = all(output('nm', '-gjU', file), /^_(\S+)$/gm);
  return [
    ...unlike(needed, (name) => name.startsWith('/usr/lib/'), 'needs the library'),
    ...unlike(exported, (name) => entries.includes(name), 'shows the symbol'),
    ...missingEntries(exported),
  ];
}

function inspectPe(file) {
  const headers = output('objdump', '-p', file);
  const needed = all(headers, /DLL Name: (\S+)/g);
  const exported = all(headers, /^\t\[ *\d+\] (?:\+base\[ *\d+\] +\S+ )?(\w+)\r?$/gm);
  return [
    ...unlike(needed, (name) => systemDll.test(name), 'needs the library'),
    ...unlike(exported, (name) => entries.includes(name), 'shows the symbol'),
    ...missingEntries(exported),
  ];
}

function unlike(names, isAllowed, problem) {
  return names.filter((name) => !isAllowed(name)).map((name) => `${problem} ${name}`);
}

function missingEntries(exported) {
  return entries.filter((name) => !exported.includes(name)).map((name) => `does not show ${name}`);
}

function isNodeApi(name) {
  return /^(napi|node_api)_/.test(name);
}

function isNewer(version, than) {
  const [major, minor = 0] = version.split('.').map(Number);
  const [thanMajor, thanMinor] = than.split('.').map(Number);
  return major > thanMajor || (major === thanMajor && minor > thanMinor);
}

function all(text, pattern) {
  return Array.from(text.matchAll(pattern), ([, found]) => found);
}

function output(program, ...args) {
  return execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
}
