export declare function ensureChrome(options?: { log?: (line: string) => void }): Promise<string>;
export declare function canApt(): boolean;
export declare function quiet(command: string, args: readonly string[], log?: (line: string) => void): boolean;
