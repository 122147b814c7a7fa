import { join } from 'node:path';
import systemPackages from '../../native/system-packages.json' with { type: 'json' };
import { type SvdError, svdError } from '../array/errors.ts';
import { describeSystem, elfArch, libc, systemIds } from './platform.ts';
import { version } from './version.ts';

/** A file or package that the addon was wanted from, and why it was not had. */
export interface Attempt {
  readonly from: string;
  readonly reason: string;
  /** What the dynamic loader threw; absent where it was not asked. */
  readonly error?: Error;
}

/** Nothing to have the addon from, as against something that does not load. */
export class NotThere extends Error {}

/** The attempt that ended with `error`. */
export function failure(from: string, error: Error): Attempt {
  if (error instanceof NotThere) return { from, reason: error.message };
  if (isModuleMissing(error, from)) return { from, reason: 'not installed' };
  const code = 'code' in error && error.code !== 'ERR_DLOPEN_FAILED' ? ` [${error.code}]` : '';
  const [first] = error.message.trim().split('\nRequire stack:');
  const arch = elfArch(from);
  // The dynamic loader calls a library for another processor a file that does not exist.
  const other = arch !== undefined && arch !== process.arch ? ` (the file was built for ${arch})` : '';
  return { from, reason: first.replace(`${from}: `, '') + code + other, error };
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
    ...remedies(attempts.map(({ reason }) => reason).join('\n'), root, platform),
  ];
  const cause = attempts.find(({ error }) => error !== undefined)?.error;
  return svdError('ERR_SVD_BINARY', lines.join('\n'), { cause });
}

function remedies(reasons: string, root: string | undefined, platform: string | undefined): string[] {
  if (reasons.includes('ERR_DLOPEN_DISABLED')) return ['- Run Node without --no-addons.'];
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
  return [...chosen, ...installation(platform), ...(root === undefined ? bundling : sourceBuild(root))];
}

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
    `    node "${join(root, 'native/build.mjs')}"`,
  ];
}

const bundling = [
  '- Or let the bundler leave factored-svd alone (mark it as external) and install it beside the bundle:',
  `    npm install factored-svd@${version}`,
  '- Or let the bundler copy .node files as they are (esbuild: --loader:.node=copy; webpack: node-loader).',
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
