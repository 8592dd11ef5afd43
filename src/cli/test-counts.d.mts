export interface VitestReport {
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

export declare function countTests(report: VitestReport | null, exitCode: number): { passed: number; failed: number };
