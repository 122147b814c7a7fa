import { expect, test } from 'vitest';
import { chosenShard } from '../../lib/cli/shard.ts';

type Environment = Record<string, string>;

const array = (id: number, count: number, more: Environment = {}): Environment => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_COUNT: String(count),
  ...more,
});
const from = (min: number, max: number, step = 1): Environment => ({
  SLURM_ARRAY_TASK_MIN: String(min),
  SLURM_ARRAY_TASK_MAX: String(max),
  SLURM_ARRAY_TASK_STEP: String(step),
});
const step: Environment = { SLURM_JOB_ID: '7', SLURM_STEP_ID: '0' };

test.each<[option: string | undefined, env: Environment, index: number, count: number]>([
  ['2/3', {}, 2, 3],
  ['2/3', array(0, 8), 2, 3], // what is said wins over the environment
  ['2/3', { SLURM_PROCID: 'x' }, 2, 3],
  [undefined, array(0, 4), 1, 4],
  [undefined, array(3, 4), 4, 4],
  [undefined, array(0, 4, from(0, 3)), 1, 4],
  [undefined, array(1, 4, from(1, 4)), 1, 4],
  [undefined, array(4, 4, from(1, 4)), 4, 4],
  [undefined, array(9, 3, from(5, 9, 2)), 3, 3],
  [undefined, { SLURM_PROCID: '1', SLURM_NTASKS: '2' }, 2, 2],
  [undefined, { ...step, SLURM_PROCID: '1', SLURM_NTASKS: '8', SLURM_STEP_NUM_TASKS: '2' }, 2, 2],
  [undefined, { OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '5' }, 3, 5],
  [undefined, { PMI_RANK: '0', PMI_SIZE: '2' }, 1, 2],
  // mpirun in the script of a job: the launcher that is nearest
  [
    undefined,
    { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', SLURM_PROCID: '0', SLURM_NTASKS: '4' },
    2,
    2,
  ],
  // srun in the tasks of an array
  [undefined, array(2, 3, { ...from(1, 3), ...step, SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '2' }), 4, 6],
  [undefined, array(1, 2, { ...step, SLURM_PROCID: '0', SLURM_NTASKS: '1' }), 2, 2],
  ['auto/4', { JOB_COMPLETION_INDEX: '3' }, 4, 4],
  ['auto/4', array(3, 4), 4, 4],
  ['auto/4', { SLURM_ARRAY_TASK_ID: '0' }, 1, 4],
])('%s in %j is shard %i of %i', (option, env, index, count) => {
  const { shard, note } = chosenShard(option, env);
  expect(shard).toEqual({ index, count });
  const named = option === undefined || option.startsWith('auto');
  expect(note ?? '').toMatch(named ? new RegExp(`^shard ${index} of ${count}, as [A-Z_ and]+ says`) : /^$/);
});

test.each<[option: string | undefined, env: Environment]>([
  [undefined, {}],
  ['1/1', {}],
  ['1/1', array(2, 4)],
  ['1/1', { JOB_COMPLETION_INDEX: '2' }],
  ['auto/1', {}],
  [undefined, { SLURM_PROCID: '0', SLURM_NTASKS: '1' }], // a shell in a job of one task
  [undefined, { SLURM_JOB_ID: '7', SLURM_PROCID: '0' }],
  [undefined, { SLURM_JOB_ID: '7', SLURM_PROCID: '0', SLURM_NTASKS: '8' }], // a batch script, which is one process
  [undefined, { SLURM_NTASKS: '8' }],
  [undefined, array(7, 1, from(7, 7))], // one task of an array, sent in again alone
  [undefined, { PMI_RANK: '', PMI_SIZE: '' }],
])('%s in %j is everything', (option, env) => {
  expect(chosenShard(option, env)).toEqual({});
});

test.each<[option: string | undefined, env: Environment, problem: RegExp]>([
  ['0/3', {}, /--shard 0\/3: i counts from 1 to n/],
  ['4/3', {}, /--shard 4\/3: i counts from 1 to n, that is to 3/],
  ['1/0', {}, /n must be from 1/],
  ['1-3', {}, /expected i\/n, 2\/8 say, or auto\/n/],
  ['-1/3', {}, /expected i\/n/],
  ['auto/3', {}, /no variable of the environment says which part this is/],
  [undefined, { JOB_COMPLETION_INDEX: '0' }, /not of how many: say --shard auto\/n, or --shard 1\/1/],
  ['auto/3', array(0, 4), /by SLURM_ARRAY_TASK_ID there are 4 parts/],
  ['auto/3', { JOB_COMPLETION_INDEX: '3' }, /makes no sense/],
  [
    undefined,
    { SLURM_PROCID: 'one', SLURM_NTASKS: '2' },
    /SLURM_PROCID: expected an integer ≥ 0, found "one"/,
  ],
  [undefined, { SLURM_PROCID: '0', SLURM_NTASKS: '-2' }, /SLURM_NTASKS: expected an integer ≥ 0/],
  [undefined, { SLURM_PROCID: '2', SLURM_NTASKS: '2' }, /SLURM_PROCID is 2, but counts from 0/],
  [undefined, { OMPI_COMM_WORLD_RANK: '1' }, /OMPI_COMM_WORLD_RANK is 1, but no variable says of how many/],
  [undefined, array(4, 4), /SLURM_ARRAY_TASK_ID is 4 of 4 tasks from 0/],
  [undefined, array(3, 3, from(1, 7)), /SLURM_ARRAY_TASK_ID is 3 of 3 tasks from 1 to 7/],
  [undefined, array(2, 3, from(1, 5, 2)), /in steps of 2/],
  [undefined, { SLURM_ARRAY_TASK_ID: '1' }, /not of how many/],
])('%s in %j is an error', (option, env, problem) => {
  expect(() => chosenShard(option, env)).toThrow(problem);
});
