import manifest from '../../package.json' with { type: 'json' };

/** The version of this package, which its addon must have been built for. */
export const version: string = manifest.version;
