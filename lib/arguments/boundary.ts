import { Svd } from '../algorithms/result.ts';
import { has } from '../array/describe.ts';
import { isOwnError, svdError } from '../array/errors.ts';
import { checkOptions, isPlain, missingOption, type OptionTable } from './options.ts';

// The boundary that every public function stands behind: no argument is ignored, and errors begin at the caller's line.

/** What a public function takes. */
export interface Signature {
  /** Its arguments by name, without the options. */
  readonly takes?: readonly string[];
  /** The options that follow them; a function where they depend on the first argument. */
  readonly options?: OptionTable | ((first: unknown) => OptionTable);
  /** The last of its arguments may be repeated. */
  readonly variadic?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: any function at all, whose type the boundary keeps
type AnyFunction = (...args: any[]) => any;
type AnyClass = abstract new (...args: never[]) => object;

/** `f` behind the boundary. */
export function exposed<F extends AnyFunction>(signature: Signature, f: F, name = f.name): F {
  function boundary(this: unknown, ...args: unknown[]): unknown {
    return entering(boundary, name, signature, args, (checked) => Reflect.apply(f, this, checked));
  }
  return named(boundary, f.name) as unknown as F;
}

/**
 * One call from outside: `body` with its arguments after they have been checked.
 *
 * @param from the public function; stacks begin at its caller
 */
export function entering<T>(
  from: AnyFunction | AnyClass,
  name: string,
  signature: Signature,
  args: readonly unknown[],
  body: (args: readonly unknown[]) => T,
): T {
  try {
    const result = body(checkArguments(name, signature, args));
    if (result instanceof Svd) for (const error of result.errors) Error.captureStackTrace(error, from);
    return result;
  } catch (error) {
    if (isOwnError(error)) Error.captureStackTrace(error, from);
    throw error;
  }
}

/** `f`, which returns a promise, behind the boundary; whatever is wrong with its arguments makes it reject. */
export function exposedAsync<F extends AnyFunction>(signature: Signature, f: F, name = f.name): F {
  function boundary(this: unknown, ...args: unknown[]): Promise<unknown> {
    const site: CallSite = {};
    Error.captureStackTrace(site, boundary); // written out as text only when somebody asks for it
    const run = async () => Reflect.apply(f, this, checkArguments(name, signature, args));
    return run().then(
      (result) => {
        if (result instanceof Svd) for (const error of result.errors) beginAt(site, error);
        return result;
      },
      (error) => {
        if (isOwnError(error) && !isReason(error, args)) beginAt(site, error);
        throw error;
      },
    );
  }
  return named(boundary, f.name) as unknown as F;
}

/** Puts all methods and accessors of a class behind the boundary; `signatures` says what each method takes. */
export function exposeMembers<C extends AnyClass>(
  { name: className, prototype }: C,
  signatures: Record<MethodsOf<InstanceType<C>>, Signature>,
  asynchronous: (name: string) => boolean = (name) => name.endsWith('Async'),
): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === 'constructor') continue;
    const fullName = `${className}.${name}`;
    const { get, value } = descriptor;
    if (get) descriptor.get = exposed({}, get, fullName);
    else {
      const expose = asynchronous(name) ? exposedAsync : exposed;
      descriptor.value = expose((signatures as Record<string, Signature>)[name], value, fullName);
    }
    Object.defineProperty(prototype, name, descriptor);
  }
}

/** The functions of an object behind the boundary. */
export const exposedMethods = <T extends Record<string, AnyFunction>>(
  signatures: Record<keyof T, Signature>,
  methods: T,
): T =>
  Object.fromEntries(
    Object.entries(methods).map(([name, f]) => [name, exposed(signatures[name], f, name)]),
  ) as unknown as T;

type MethodsOf<T> = { [K in keyof T]: T[K] extends AnyFunction ? K : never }[keyof T] & string;

const named = <F extends AnyFunction>(f: F, name: string): F =>
  Object.defineProperty(f, 'name', { value: name });

/** The arguments with a checked copy of the options. */
function checkArguments(
  name: string,
  { takes = [], options, variadic }: Signature,
  args: readonly unknown[],
): readonly unknown[] {
  if (args.length <= takes.length || variadic) return args;
  const table = typeof options === 'function' ? options(args[0]) : options;
  const most = takes.length + (table ? 1 : 0);
  for (let i = args.length - 1; i >= most; i--)
    if (args[i] !== undefined) throw surplus(name, takes, table, args);
  const given = args[takes.length];
  if (!table || given === undefined) return args.slice(0, takes.length);
  return [...args.slice(0, takes.length), checkOptions(given, table, name)];
}

function surplus(
  name: string,
  takes: readonly string[],
  table: OptionTable | undefined,
  args: readonly unknown[],
) {
  const [extra] = args.slice(takes.length);
  const option =
    !table && isPlain(extra) ? Object.keys(extra).find((key) => extra[key] !== undefined) : undefined;
  if (option !== undefined) return missingOption(option, [], name);
  const expected = [...takes, ...(table ? [`{ ${Object.keys(table).join(', ')} }`] : [])].join(', ');
  const signature = expected === '' ? 'no arguments' : `(${expected})`;
  const inMap =
    Array.isArray(args[2]) && Number.isInteger(args[1]) ? `; in map() write (x) => ${name}(x)` : '';
  return svdError('ERR_SVD_ARGUMENT', `${name}: takes ${signature}, got ${args.length} arguments${inMap}`);
}

interface CallSite {
  stack?: unknown;
}

/** Makes the stack of `error` that of the call which it rejects. */
function beginAt({ stack }: CallSite, error: Error): void {
  if (typeof stack !== 'string') return; // Error.prepareStackTrace makes something else of it
  const frames = stack.search(/\n {4}at /);
  error.stack = `${error}${frames < 0 ? '' : stack.slice(frames)}`;
}

/** Whether `error` is the reason of the caller's own signal: then its stack is not ours to change. */
function isReason(error: unknown, args: readonly unknown[]): boolean {
  const last = args.at(-1);
  const signal = has(last, 'signal') ? (last as { signal?: unknown }).signal : undefined;
  return has(signal, 'reason') && (signal as AbortSignal).reason === error;
}
