import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const root = fileURLToPath(new URL('../..', import.meta.url));

const changelog = `# Changelog

## Unreleased

## [1.2.3] - 2026-02-28

### Added

- what is new

## 1.2.2 - 2026-01-01

- what was new
`;
const manifest = {
  version: '1.2.3',
  homepage: 'https://svd.example',
  repository: { url: 'git+https://svd.example/repository' },
  bugs: { url: 'https://svd.example/bugs' },
};

/** The script in a checkout of which these files are different. */
function releaseNotes(tag: string, files: { manifest?: object; lock?: object; changelog?: string } = {}) {
  const folder = at(`checkout-${Math.random()}`);
  mkdirSync(folder);
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write('package.json', JSON.stringify({ ...manifest, ...files.manifest }));
  write('package-lock.json', JSON.stringify({ version: '1.2.3', ...files.lock }));
  write('CHANGELOG.md', files.changelog ?? changelog);
  const script = join(root, 'scripts/package/release-notes.mjs');
  return spawnSync(process.execPath, [script, tag], { cwd: folder, encoding: 'utf8' });
}

describe('what can be released', () => {
  test('has a section in CHANGELOG.md, which is printed without the others', () => {
    const { status, stdout } = releaseNotes('v1.2.3');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '### Added\n\n- what is new\n' });
  });

  test.each([
    [
      'the tag names another version',
      'v1.2.2',
      {},
      'the tag is v1.2.2, and package.json has the version 1.2.3',
    ],
    ['the tag has no v', '1.2.3', {}, 'the tag is 1.2.3'],
    [
      'the lock has another version',
      'v1.2.3',
      { lock: { version: '1.2.2' } },
      'package-lock.json has the version 1.2.2',
    ],
    [
      'CHANGELOG.md does not know it',
      'v1.2.4',
      { manifest: { version: '1.2.4' } },
      'CHANGELOG.md has no section 1.2.4',
    ],
    [
      'CHANGELOG.md has no date for it',
      'v1.2.3',
      { changelog: changelog.replace('2026-02-28', 'soon') },
      '"## [1.2.3] - soon" does not end with " - " and its date',
    ],
    [
      'its date is none',
      'v1.2.3',
      { changelog: changelog.replace('2026-02-28', '2026-02-30') },
      'does not end with " - " and its date',
    ],
    [
      'nothing is new',
      'v1.2.3',
      { changelog: changelog.replace('### Added\n\n- what is new\n', '') },
      'CHANGELOG.md says nothing of 1.2.3',
    ],
    [
      'the addresses are placeholders',
      'v1.2.3',
      { manifest: { repository: { url: 'git+https://example.invalid/x' } } },
      'package.json has no address yet as its repository',
    ],
  ])('not when %s', (_, tag, files, reason) => {
    const { status, stdout, stderr } = releaseNotes(tag, files);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(reason);
  });

  test('and all reasons are told at once', () => {
    const { stderr } = releaseNotes('v2.0.0', { manifest: { version: '3.0.0', bugs: undefined } });
    expect(stderr.match(/^- /gm)).toHaveLength(4);
  });
});

describe('the workflows', () => {
  const files = ['ci.yml', 'release.yml'].map((name) =>
    readFileSync(join(root, '.github/workflows', name), 'utf8'),
  );

  test('use actions by the hash of a commit', () => {
    const used = files.flatMap((text) => Array.from(text.matchAll(/uses: (\S+)/g), ([, action]) => action));
    expect(used.length).toBeGreaterThan(0);
    for (const action of used) expect(action).toMatch(/@[0-9a-f]{40}$|^\.\//);
  });

  test('build a package for every platform', () => {
    const platforms = JSON.parse(readFileSync(join(root, 'packages/platforms.json'), 'utf8'));
    const built = Array.from(files[1].matchAll(/\{ key: ([\w-]+)/g), ([, key]) => key);
    expect(built).toEqual(Object.keys(platforms));
  });

  test('let one job alone ask for the identity that publishes', () => {
    expect(files.join('').match(/id-token: write/g)).toHaveLength(1);
  });
});
