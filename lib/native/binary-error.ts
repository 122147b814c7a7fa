import { dirname, join } from 'node:path';
import systemPackages from '../../native/system-packages.json' with { type: 'json' };
import { type SvdError, svdError } from '../array/errors.ts';
import { describeSystem, elfArch, libc, systemIds } from './platform.ts';
import { version } from './version.ts';

/** A file or package that the addon was wanted from, and why it was not had. */
export interface Attempt {
  readonly from: string;
  readonly reason: string;
  /** The folder of a package that is installed, but not as it should be. */
  readonly folder?: string | undefined;
  /** What the dynamic loader threw; absent where it was not asked. */
  readonly error?: Error;
}

/** Nothing to have the addon from, as against something that does not load. */
export class NotThere extends Error {}

/** The attempt that ended with `error`, at the file `path` where one was found. */
export function failure(from: string, path: string | undefined, error: Error): Attempt {
  const isPackage = path !== undefined && from.startsWith('factored-svd-');
  const place = { from, ...(isPackage && { folder: dirname(path) }) };
  if (error instanceof NotThere) return { ...place, reason: error.message };
  if (isModuleMissing(error, from)) return { ...place, reason: 'not installed' };
  const code = 'code' in error && error.code !== 'ERR_DLOPEN_FAILED' ? ` [${error.code}]` : '';
  const [first] = error.message.trim().split('\nRequire stack:');
  const arch = path && elfArch(path);
  // The dynamic loader calls a library for another processor a file that does not exist.
  const other = arch && arch !== process.arch ? ` (the file was built for ${arch})` : '';
  return { ...place, reason: first.replace(`${from}: `, '') + code + other, error };
}

function isModuleMissing(error: Error, name: string): boolean {
  return 'code' in error && error.code === 'MODULE_NOT_FOUND' && error.message.includes(`'${name}'`);
}

/**
 * The `ERR_SVD_BINARY` that tells what was tried, on what system, and the commands that mend it.
 * @param root the folder of this package; undefined where this code was moved out of it
 * @param platform the end of the name of the platform package; undefined where there is none
 */
export function binaryError(
  attempts: readonly Attempt[],
  root: string | undefined,
  platform: string | undefined,
): SvdError {
  const lines = [
    `Could not load the native addon of factored-svd ${version}.`,
    '',
    'Tried:',
    ...attempts.map(({ from, reason }) => `- ${from}: ${reason.replaceAll('\n', ' ')}`),
    ...(attempts.length === 0 ? ['- nothing: this code was moved out of the package factored-svd'] : []),
    '',
    `This is ${describeSystem()}.`,
    '',
    'To mend it:',
    ...remedies(attempts, root, platform),
  ];
  const cause = attempts.find(({ error }) => error !== undefined)?.error;
  return svdError('ERR_SVD_BINARY', lines.join('\n'), { cause });
}

function remedies(
  attempts: readonly Attempt[],
  root: string | undefined,
  platform: string | undefined,
): string[] {
  const reasons = attempts.map(({ reason }) => reason).join('\n');
  if (reasons.includes('ERR_DLOPEN_DISABLED')) {
    return [process.permission ? '- Run Node with --allow-addons.' : '- Run Node without --no-addons.'];
  }
  if (reasons.includes('OPENBLAS_CORETYPE')) {
    return ['- Leave the choice of its kernels to OpenBLAS:', '    unset OPENBLAS_CORETYPE'];
  }
  const chosen = process.env.FACTORED_SVD_BINARY
    ? [
        '- FACTORED_SVD_BINARY is set, so nothing else is tried. To use the addon that was installed:',
        '    unset FACTORED_SVD_BINARY',
      ]
    : [];
  if (/openblas\S*: cannot open|Library not loaded: \S*openblas/i.test(reasons)) {
    return [...chosen, '- Install OpenBLAS (the pthread build):', ...systemCommands('run')];
  }
  const unmapped = reasons.includes('failed to map segment')
    ? [
        '- Look whether its folder is mounted noexec, and whether the process may have so much memory (ulimit -v).',
      ]
    : [];
  const folder = attempts.find((attempt) => attempt.folder)?.folder;
  const install = folder ? removal(folder) : installation(platform);
  return [...chosen, ...unmapped, ...install, ...(root === undefined ? bundling : sourceBuild(root))];
}

/** npm takes what is there for what should be there. */
function removal(folder: string): string[] {
  const remove = process.platform === 'win32' ? 'rmdir /s /q' : 'rm -r';
  return [
    '- Remove the package with the addon, which is not as it should be, and install it again:',
    `    ${remove} ${quoted(folder)}`,
    `    npm install --include=optional factored-svd@${version}`,
  ];
}

/** As one word of a command line. */
const quoted = (path: string): string =>
  process.platform === 'win32' ? `"${path}"` : `'${path.replaceAll("'", "'\\''")}'`;

/** How to have the platform package, which package managers leave out when they are told to, or copied from elsewhere. */
function installation(platform: string | undefined): string[] {
  if (platform === undefined)
    return [`- There is no package with an addon for ${process.platform}-${process.arch}.`];
  const system = [
    `--os=${process.platform}`,
    `--cpu=${process.arch}`,
    ...(libc() === undefined ? [] : [`--libc=${libc()}`]),
  ].join(' ');
  return [
    `- Install the package with the addon, factored-svd-${platform}, which is an optional dependency:`,
    `    npm install --include=optional factored-svd@${version}`,
    '  or, where node_modules was made on or for another system,',
    `    npm install ${system} factored-svd@${version}`,
  ];
}

function sourceBuild(root: string): string[] {
  return [
    '- Or build the addon on this system; what that needs is installed with',
    ...systemCommands('build'),
    '  and then',
    `    node ${quoted(join(root, 'native/build.mjs'))}`,
  ];
}

const bundling = [
  '- Or let the bundler leave factored-svd alone (mark it as external) and install it beside the bundle:',
  `    npm install factored-svd@${version}`,
  '- Or let the bundler copy .node files as they are (esbuild: --loader:.node=copy, and for --format=esm',
  '  a banner that defines require; webpack: node-loader).',
  '- Or set FACTORED_SVD_BINARY to the path of the addon, factored_svd.node of the package for this system.',
];

/** The command of this system that installs what a build needs, or what a build that was made needs to `run`; of each
 * known system where this one is not known. */
function systemCommands(purpose: 'build' | 'run'): string[] {
  const commands: Record<string, { build: string; run: string }> = systemPackages;
  const known = systemIds().find((id) => id in commands);
  const shown = known === undefined ? Object.values(commands) : [commands[known]];
  return shown.map((command) => `    ${command[purpose]}`);
}
