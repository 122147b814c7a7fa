/** The ends of the names of the platform packages. */
export declare const names: readonly string[];

/** The addon of the package `factored-svd-<platform>`, or why it could not be had. */
export declare function required(platform: string): { addon: unknown } | { error: Error };
