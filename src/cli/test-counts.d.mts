interface FileCounts {
  status: string;
  assertionResults: { status: string }[];
}

interface FileTimes {
  /** Absolute path. */
  name: string;
  /** Milliseconds since 1970. */
  startTime: number;
  endTime: number;
}

export declare function countTests(
  report: { testResults: FileCounts[] } | null,
  exitCode: number,
): { passed: number; failed: number };
export declare function slowestFiles(
  reports: readonly ({ testResults: FileTimes[] } | null)[],
  root: string,
  most?: number,
): string[];
