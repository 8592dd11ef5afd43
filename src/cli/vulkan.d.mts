export declare function vulkanEnv(
  chrome: string | null,
  cache: string,
  options?: { env?: Record<string, string | undefined>; platform?: string; hardware?: boolean },
): Record<string, string>;
