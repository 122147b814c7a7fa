import { describe, expect, it } from 'vitest';
import { output, run, testLimit } from './support/child.ts';

describe('the end of the process', { timeout: testLimit }, () => {
  // The jobs take some 500 ms; the moments are spread over all of it.
  const moments = Array.from({ length: 10 }, (_, i) => 5 + 45 * i);

  it.each(['main', 'workers'])('process.exit() in mid-job ends it with its status: %s', async (how) => {
    for (const moment of moments) {
      const ended = await run('exit-mid-job.mjs', { args: [how, moment] });
      expect(ended, `after ${moment} ms`).toEqual({ status: 7, signal: null, stdout: '', stderr: '' });
    }
  });

  it('an uncaught error in mid-job is reported, and the status is 1', async () => {
    const ended = await run('exit-mid-job.mjs', { args: ['throw', 60] });
    expect(ended).toMatchObject({ status: 1, signal: null });
    expect(ended.stderr).toContain('Error: thrown in mid-job');
  });

  it('a signal in mid-job ends it at once', async () => {
    const ended = await run('exit-mid-job.mjs', { args: ['signal', 60], limit: 20 });
    expect(ended).toMatchObject({ status: null, signal: 'SIGTERM', stderr: '' });
  });

  it('jobs keep it alive, and nothing else does', async () => {
    expect(await output('natural-exit.mjs')).toBe('all jobs done\nexit\n');
  });
});
