import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryIn } from '../../lib/weights/output.ts';
import { writeTensors } from '../../lib/weights/writer.ts';
import { rejectionOf } from '../support/checks.ts';
import { cli } from '../support/cli.ts';
import { randomMatrix } from '../support/matrices.ts';
import { patience } from '../support/patience.ts';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const root = process.getuid?.() === 0;
let folder: string;
let weights: string;
const at = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'factored-svd-output-'));
  weights = at('weights.safetensors');
  await writeSafetensors(weights, { M: randomMatrix(1, [6, 4]) });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tensors = { M: randomMatrix(2, [3, 2]) };
const mode = (path: string) => statSync(path).mode & 0o777;
const writers: Record<string, (out: string) => string[]> = {
  svd: (out) => ['svd', weights, '--matrix', 'M', '--out', out],
  golden: (out) => ['golden', weights, '--matrix', 'M', '--out', out],
};

describe.each(Object.keys(writers))('%s --out', (command) => {
  test('over its input, by whatever name, is refused before any work', async () => {
    symlinkSync(weights, at('link'));
    symlinkSync('link', at('link to link'));
    linkSync(weights, at('hard'));
    symlinkSync(folder, at('folder'));
    mkdirSync(at('sub'));
    const before = readFileSync(weights);
    const names = [
      weights,
      at('link'),
      at('link to link'),
      at('hard'),
      `${folder}/folder/weights.safetensors`,
      `${folder}/./sub/..//weights.safetensors`,
      relative(process.cwd(), weights),
    ];
    for (const out of names) {
      const done = await cli(...writers[command](out));
      expect(done).toEqual({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('--out would overwrite the input'),
      });
    }
    expect(readFileSync(weights)).toEqual(before);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
  });

  test('that cannot be written is refused before any work', async () => {
    symlinkSync(at('nowhere'), at('dangling'));
    symlinkSync(at('loop'), at('loop'));
    const cases: [string, RegExp][] = [
      [at('dangling'), /is a symbolic link that leads to no file/],
      [at('loop'), /ELOOP/],
      [folder, /is not a regular file/],
      ['/dev/full', /is not a regular file/],
      [at('missing/out'), /ENOENT/],
      [at('new/'), /names no file/],
      ['', /^factored-svd: '': cannot write: names no file/],
      [at('n'.repeat(256)), /ENAMETOOLONG/],
      [join(weights, 'out'), /ENOTDIR/],
      [at('a\0b'), /null bytes/],
    ];
    for (const [out, says] of cases) {
      const argv = writers[command](out).map((word) => (word === 'M' ? 'not there either' : word));
      const { code, stdout, stderr } = await cli(...argv);
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(says) });
      expect(stderr).toMatch(/cannot write: .*\[ERR_SVD_FILE\]\n$/);
    }
    expect(existsSync(at('nowhere'))).toBe(false);
  });
});

describe('a file that is replaced', () => {
  test('keeps its permissions, whatever the umask; a new one has those of the umask', async () => {
    const umask = process.umask(0o027);
    try {
      for (const bits of [0o600, 0o644, 0o666, 0o751]) {
        writeFileSync(at('kept'), '');
        spawnSync('chmod', [bits.toString(8), at('kept')]);
        await writeSafetensors(at('kept'), tensors);
        expect(mode(at('kept'))).toBe(bits);
      }
      await writeSafetensors(at('new'), tensors);
      expect(mode(at('new'))).toBe(0o640);
    } finally {
      process.umask(umask);
    }
  });

  test('through a link is the file behind it, and the link stays', async () => {
    mkdirSync(at('elsewhere'));
    writeFileSync(at('elsewhere/file'), '');
    symlinkSync('elsewhere/file', at('link'));
    await writeSafetensors(at('link'), tensors);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    await using file = await openSafetensors(at('elsewhere/file'));
    expect(file.names).toEqual(['M']);
  });

  test('may have a name as long as names can be', async () => {
    for (const name of ['n'.repeat(240), 'n'.repeat(255), 'é'.repeat(120)]) {
      await writeSafetensors(at(name), tensors);
      await writeSafetensors(at(name), tensors);
      expect(statSync(at(name)).size).toBeGreaterThan(0);
    }
  });

  test('is what it was after an abort, with nothing beside it', async () => {
    const before = readFileSync(weights);
    const large = { M: { data: new Float32Array(2 ** 20), shape: [2 ** 20] } };
    const writing = writeTensors(weights, large, {}, AbortSignal.timeout(0));
    expect(await writing.catch((error) => error.name)).toBe('TimeoutError');
    expect(readFileSync(weights)).toEqual(before);
    expect(readdirSync(folder)).toEqual([basename(weights)]);
  });

  test('is given by a path or a file URL, and nothing else', async () => {
    await writeSafetensors(pathToFileURL(at('url')), tensors);
    expect(existsSync(at('url'))).toBe(true);
    for (const wrong of [7, null, undefined, new URL('https://example.com/x')])
      expect(await rejectionOf(writeSafetensors(wrong as never, tensors))).toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
      });
    for (const wrong of [null, [tensors.M], 'M', new Map([['M', tensors.M]])])
      expect(await rejectionOf(writeSafetensors(at('x'), wrong as never))).toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
      });
    expect(await rejectionOf(writeSafetensors(at('x'), tensors, null as never))).toMatchObject({
      code: 'ERR_SVD_ARGUMENT',
    });
  });
});

describe('temporary files', () => {
  /** The name that process `pid` would give one. */
  const nameOf = (pid: number, place?: string) => {
    const name = basename(temporaryIn(folder)).replace(`-${process.pid}-`, `-${pid}-`);
    return place === undefined ? name : name.replace(/-[0-9a-f]{8}-/, `-${place}-`);
  };
  const deadPid = spawnSync(process.execPath, ['-e', '']).pid;

  test('of dead processes, and those a day old, are removed by the next write; no others', async () => {
    const [dead, old, own, living, elsewhere] = [
      nameOf(deadPid),
      nameOf(process.ppid),
      nameOf(process.pid),
      nameOf(process.ppid),
      nameOf(deadPid, '00000000'),
    ];
    const foreign = ['.factored-svd-1.tmp', `weights.safetensors.${deadPid}-0123456789ab.tmp`, 'x.tmp'];
    for (const name of [dead, old, own, living, elsewhere, ...foreign]) writeFileSync(at(name), 'x');
    utimesSync(at(old), new Date(), new Date(Date.now() - 25 * 3600 * 1000));
    await writeSafetensors(at('new'), tensors);
    expect(readdirSync(folder).sort()).toEqual(
      ['new', basename(weights), own, living, elsewhere, ...foreign].sort(),
    );
  });

  test('that cannot be removed keep nothing from being written', async () => {
    mkdirSync(at(nameOf(deadPid)));
    await writeSafetensors(at('new'), tensors);
    expect(existsSync(at('new'))).toBe(true);
  });

  test.each(['process.exit()', "process.emit('SIGTERM')"])('do not outlive %s', (end) => {
    const script = `
      import { writeSafetensors } from '${dist}weights.js';
      process.on('SIGTERM', () => process.exit());
      const data = new Float32Array(2 ** 24);
      writeSafetensors(${JSON.stringify(at('large'))}, { M: { data, shape: [4096, 4096] } });
      const { readdirSync } = await import('node:fs');
      setInterval(() => {
        if (readdirSync(${JSON.stringify(folder)}).some((name) => name.endsWith('.tmp'))) ${end};
      }, 1);`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: patience(60_000),
    });
    expect(stderr).toBe('');
    expect(readdirSync(folder)).toEqual([basename(weights)]);
  });
});

/** The built command under the limits that a shell sets `before`. */
function limited(before: string, argv: string[]) {
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', `${before} exec "$0" "$@"`, process.execPath, `${dist}command.js`, ...argv],
    { encoding: 'utf8', timeout: patience(60_000) },
  );
  return { status, stderr };
}

describe.skipIf(process.platform === 'win32')('where the system refuses', () => {
  const big = { M: randomMatrix(3, [200, 100]) };

  test('to write more, the file is what it was and the error says which and why', async () => {
    await writeSafetensors(weights, big);
    writeFileSync(at('out'), 'as it was');
    const { status, stderr } = limited('ulimit -f 64;', [
      'svd',
      weights,
      '--matrix',
      'M',
      '--out',
      at('out'),
    ]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `factored-svd: ${at('out')}: cannot write: EFBIG: file too large, write [ERR_SVD_FILE]\n`,
    });
    expect(readFileSync(at('out'), 'utf8')).toBe('as it was');
    expect(readdirSync(folder).sort()).toEqual(['out', basename(weights)]);
  });

  const mounts = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
  test.skipIf(!mounts)('because the disk is full', async () => {
    await writeSafetensors(weights, big);
    mkdirSync(at('small'));
    const script = `mount -t tmpfs -o size=64k tmpfs "$1"; shift; "$@"; echo $?; ls -A "$0"`;
    const argv = [
      process.execPath,
      `${dist}command.js`,
      'svd',
      weights,
      '--matrix',
      'M',
      '--out',
      at('small/out'),
    ];
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-m', 'bash', '-c', script, at('small'), at('small'), ...argv],
      {
        encoding: 'utf8',
        timeout: patience(60_000),
      },
    );
    expect(stderr).toBe(
      `factored-svd: ${at('small/out')}: cannot write: ENOSPC: no space left on device, write [ERR_SVD_FILE]\n`,
    );
    expect(stdout).toBe('1\n');
  });

  test.skipIf(!root)('folders and files that may not be written or read', async () => {
    // root without the power to pass over modes: it still reads this package, wherever that lies
    const bounded = 'exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all "$0" "$@";';
    const theirs = (...names: string[]) => spawnSync('chown', ['nobody', ...names]);
    spawnSync('chmod', ['755', folder]);
    writeFileSync(at('theirs'), 'x');
    theirs(folder, at('theirs'));
    const attempt = (...argv: string[]) => limited(bounded, argv);
    for (const out of ['theirs', 'new'])
      expect(attempt('svd', weights, '--matrix', 'M', '--out', at(out))).toEqual({
        status: 1,
        stderr: expect.stringMatching(/cannot write: EACCES: permission denied, .*\[ERR_SVD_FILE\]\n$/),
      });
    spawnSync('chmod', ['600', weights]);
    theirs(weights);
    expect(attempt('inspect', weights)).toEqual({
      status: 1,
      stderr: expect.stringMatching(/weights\.safetensors: cannot open: EACCES/),
    });
    // a folder that can be written, and not listed
    mkdirSync(at('drop'));
    spawnSync('chmod', ['733', at('drop')]);
    theirs(at('drop'));
    spawnSync('chmod', ['644', weights]);
    expect(attempt('svd', weights, '--matrix', 'M', '--out', at('drop/out'))).toEqual({
      status: 0,
      stderr: '',
    });
  });
});
