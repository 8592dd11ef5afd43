export declare function findChrome(): string | null;
