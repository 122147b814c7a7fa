/** What the setup has made ready for all scenarios. */
export interface Scene {
  /** The folder in which everything happens. */
  root: string;
  /** The environment of every command, but for PATH. */
  env: Record<string, string>;
  /** The words before a command that is not to find OpenBLAS. */
  hidden: string[];
  registry: string;
  version: string;
  /** A later version, which differs from the present one in nothing else. */
  later: string;
  /** Paths of the tarballs of both versions. */
  tarballs: Record<'main' | 'platform' | 'source' | 'laterMain' | 'laterPlatform', string>;
  /** The platform packages that the main package asks for. */
  platforms: Platform[];
  /** The bits that every installation must compute. */
  digest: string;
}

export interface Platform {
  name: string;
  os: string[];
  cpu: string[];
  libc?: string[];
}

declare module 'vitest' {
  export interface ProvidedContext {
    scene: Scene;
  }
}
