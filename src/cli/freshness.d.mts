export declare function newestChange(paths: readonly string[]): number;
export declare function needsInstall(root: string): boolean;
export declare function needsBuild(root: string): boolean;
