import { isOwnError, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';

/** What is computed of a module; an error says of which. */
export const inModule = <T>(name: string, work: Promise<T>): Promise<T> =>
  work.catch((error) => {
    throw isOwnError(error) ? svdError(error.code, `module ${quote(name)}: ${error.message}`) : error;
  });
