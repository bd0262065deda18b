package cli

import "context"

func completionCommand() Command {
	return Command{
		Path:  "completion",
		Args:  "bash|zsh|fish|powershell",
		Short: "Print the script that completes commands in a shell",
		Long: `For the shell at hand:
  bash:        source <(landfall completion bash)
  zsh:         source <(landfall completion zsh)
  fish:        landfall completion fish | source
  powershell:  landfall completion powershell | Out-String | Invoke-Expression
Put the line into the shell's start-up file to have it always.`,
		Run: func(_ context.Context, env *Env, args []string) error {
			return writeCompletion(env, env.Stdout, args[0])
		},
	}
}
