import { mostShards, type Shard, shardText } from '../circuits/run/index.ts';

/** Which part of the work this process does. */
export interface ShardChoice {
  /** Missing: all of it. */
  readonly shard?: Shard | undefined;
  /** What to tell the user of how it was chosen. */
  readonly note?: string;
}

/** What `--shard` may be, in its help. */
export const shardHelp =
  'i/n: do part i of n, from 1; auto/n: of n, as the environment says; 1/1: everything. Default: as the environment of a cluster job says (Slurm, MPI, Kubernetes), else everything';

/**
 * The shard that `--shard` names, or the environment of a cluster job where it is missing.
 * @throws `Error` that says what is wrong with either
 */
export function chosenShard(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ShardChoice {
  if (option === undefined) return fromEnvironment(env, undefined);
  const [, which, of] = /^(auto|\d{1,6})\/(\d{1,6})$/.exec(option) ?? [];
  if (which === undefined) throw new Error('--shard: expected i/n, 2/8 say, or auto/n');
  const count = Number(of);
  if (count < 1 || count > mostShards) throw new Error(`--shard: n must be from 1 to ${mostShards}`);
  if (which === 'auto') return fromEnvironment(env, count);
  const index = Number(which);
  if (index < 1 || index > count)
    throw new Error(`--shard ${option}: i counts from 1 to n, that is to ${count}`);
  return partOf({ index, count });
}

const partOf = (shard: Shard, note?: string): ShardChoice =>
  shard.count === 1 ? {} : { shard, ...(note !== undefined && { note }) };

/** A place among processes that were started together: `index` from 0. */
interface Place {
  readonly index: number;
  /** Missing where the environment does not tell. */
  readonly count: number | undefined;
  /** The variable that says so. */
  readonly variable: string;
}

/** The tasks of an array, and the processes that each of them starts. */
function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  count: number | undefined,
): ShardChoice {
  const variables = new Variables(env);
  const process = variables.process();
  const task = variables.task();
  const places = [task, process].filter((place) => place !== undefined);
  if (places.length === 0) {
    if (count === undefined || count === 1) return {};
    throw new Error(
      `--shard auto/${count}: no variable of the environment says which part this is (${known.join(', ')})`,
    );
  }
  const processes = process?.count ?? 1;
  const tasks =
    task === undefined ? 1 : (task.count ?? (count === undefined ? undefined : count / processes));
  const names = places.map(({ variable }) => variable).join(' and ');
  if (tasks === undefined)
    throw new Error(
      `${names} says which part this is, but not of how many: say --shard auto/n, or --shard 1/1 for everything`,
    );
  if (count !== undefined && tasks * processes !== count)
    throw new Error(`--shard auto/${count}: by ${names} there are ${tasks * processes} parts`);
  const index = (task?.index ?? 0) * processes + (process?.index ?? 0);
  const all = tasks * processes;
  if (!Number.isInteger(tasks) || index >= all || all > mostShards)
    throw new Error(`${names}: part ${index + 1} of ${all} makes no sense`);
  const shard = { index: index + 1, count: all };
  return partOf(shard, `${shardText(shard)}, as ${names} says (--shard 1/1 does everything)`);
}

const known = [
  'SLURM_ARRAY_TASK_ID',
  'SLURM_PROCID',
  'OMPI_COMM_WORLD_RANK',
  'PMI_RANK',
  'JOB_COMPLETION_INDEX',
] as const;

/** The variables of the environment that schedulers set. */
class Variables {
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** A variable that is empty counts as none. */
  #number(name: string): number | undefined {
    const text = this.#env[name] ?? '';
    if (text === '') return undefined;
    if (!/^\d{1,15}$/.test(text))
      throw new Error(`${name}: expected an integer ≥ 0, found ${JSON.stringify(text)}`);
    return Number(text);
  }

  #place(variable: string, sizes: readonly string[]): Place | undefined {
    const index = this.#number(variable);
    if (index === undefined) return undefined;
    const size = sizes.find((name) => this.#number(name) !== undefined);
    const count = size === undefined ? undefined : this.#number(size);
    if (count !== undefined && index >= count)
      throw new Error(`${variable} is ${index}, but counts from 0, and ${size} is ${count}`);
    return { index, count, variable };
  }

  /** Of processes that a launcher started: the innermost one is right. */
  process(): Place | undefined {
    const place =
      this.#place('OMPI_COMM_WORLD_RANK', ['OMPI_COMM_WORLD_SIZE']) ??
      this.#place('PMI_RANK', ['PMI_SIZE']) ??
      (this.#isBatchScript()
        ? undefined
        : this.#place('SLURM_PROCID', ['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS']));
    if (place?.count === undefined && (place?.index ?? 0) > 0)
      throw new Error(`${place!.variable} is ${place!.index}, but no variable says of how many`);
    return place?.count === undefined ? undefined : place;
  }

  /** The script that sbatch runs is one process, however many tasks its job has; srun starts those. */
  #isBatchScript(): boolean {
    const has = (name: string) => (this.#env[name] ?? '') !== '';
    return has('SLURM_JOB_ID') && !has('SLURM_STEP_ID') && !has('SLURM_STEP_NUM_TASKS');
  }

  /** Of the tasks of a job array, which begin anywhere and may have steps between them. */
  task(): Place | undefined {
    const variable = 'SLURM_ARRAY_TASK_ID';
    const id = this.#number(variable);
    if (id === undefined) return this.#place('JOB_COMPLETION_INDEX', []);
    const [first = 0, step = 1, last] = ['MIN', 'STEP', 'MAX'].map((name) =>
      this.#number(`SLURM_ARRAY_TASK_${name}`),
    );
    const count = this.#number('SLURM_ARRAY_TASK_COUNT');
    if (count === 1) return { index: 0, count, variable };
    const index = (id - first) / step;
    const uneven = last !== undefined && count !== undefined && last !== first + (count - 1) * step;
    if (uneven || !Number.isInteger(index) || index < 0 || (count !== undefined && index >= count))
      throw new Error(
        `${variable} is ${id} of ${count ?? 'unknown'} tasks from ${first}${step === 1 ? '' : ` in steps of ${step}`}${last === undefined ? '' : ` to ${last}`}: say --shard i/n`,
      );
    return { index, count, variable };
  }
}
