import { execFileSync, spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';

/**
 * The files of OpenBLAS, BLAS, LAPACK and the Fortran runtime that the dynamic loader of this system knows of. They must
 * be there: a test that hides nothing proves nothing.
 */
export function blasLibraries(): string[] {
  const known = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  const paths = Array.from(
    known.matchAll(/=> (.*\/lib(?:openblas|blas|cblas|lapack|gfortran)[^/]*)$/gm),
    ([, path]) => realpathSync(path),
  );
  if (!paths.some((path) => path.includes('openblas'))) {
    throw new Error('OpenBLAS is not installed here, so hiding it would prove nothing');
  }
  return [...new Set(paths)];
}

/** How a command is started where those files are empty, in a mount namespace of its own. */
export function hidden(): string[] {
  const hide = blasLibraries().map((path) => `/bin/mount --bind /dev/null '${path}' || exit 125`);
  return [...namespace(), '/bin/sh', '-c', `${hide.join('\n')}\nexec "$@"`, 'sh'];
}

function namespace(): string[] {
  const ways = [
    ['/usr/bin/unshare', '--mount'], // as root
    ['/usr/bin/unshare', '--mount', '--map-root-user'],
  ];
  for (const way of ways) {
    if (spawnSync(way[0], [...way.slice(1), '/bin/true']).status === 0) return way;
  }
  throw new Error(
    'this system allows no mount namespace, in which OpenBLAS is hidden: run the tests as root',
  );
}
