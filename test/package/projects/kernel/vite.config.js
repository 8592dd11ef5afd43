import { defineConfig } from 'vite';
import { wgslVite } from 'evenkeel/build';

export default defineConfig({ plugins: [wgslVite()], build: { target: 'es2022' }, logLevel: 'warn' });
