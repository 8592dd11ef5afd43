export declare const STACKS: readonly string[];
export declare const STACK_TESTS: readonly string[];
export declare const CORE_TESTS: readonly string[];
export declare const CORE_RUNS: readonly { stack: string; tests: readonly string[] }[];
export declare function testFlags(args: readonly string[]): { stack: string; tuning: string; rest: string[] };
export declare function lavapipeEnv(cache: string, options?: { log?: (line: string) => void }): Record<string, string>;
export declare function ensureDeno(
  cache: string,
  options?: { env?: Record<string, string | undefined>; log?: (line: string) => void },
): string;
export declare function firefoxEnv(
  cache: string,
  options?: { env?: Record<string, string | undefined>; log?: (line: string) => void },
): Record<string, string>;
