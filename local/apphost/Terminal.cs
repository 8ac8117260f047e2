namespace Payments.AppHost;

/// <summary>Progress and problems go to the standard error. The standard output is for the calls to paste and for the demo.</summary>
internal static class Terminal
{
    public static void Say(string line) => Console.Error.WriteLine(line);

    public static void Ready(RunOptions options, RunFiles files, Instance instance, string dashboard)
    {
        var url = options.AppUrl;
        var merchantKey = files.MerchantKey();
        var acquirer = $"http://127.0.0.1:{options.Ports.Acquirer}";
        var others = options.Ports.Apps.Skip(1).Select(port => $"http://127.0.0.1:{port}").ToArray();
        Console.WriteLine(
            $$"""

            Ready: {{url}}   (stop with Ctrl-C, the whole story: ./run demo)
            {{(others.Length == 0 ? "" : $"More instances: {string.Join(", ", others)}\n")}}Dashboard with logs, traces and metrics: {{dashboard}}
            Logs as files: {{Path.GetRelativePath(Environment.CurrentDirectory, files.Logs)}}

              # Take a payment as the demo merchant
              curl -s {{url}}/v1/charges -H 'Authorization: Bearer {{merchantKey}}' \
                -H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' \
                -d '{"amount":1050,"currency":"EUR","payment_method":"tok_visa","description":"Order 1001"}'

              # What the merchant has, and its charges
              curl -s '{{url}}/v1/balance?currency=EUR' -H 'Authorization: Bearer {{merchantKey}}'
              curl -s '{{url}}/v1/charges?limit=3' -H 'Authorization: Bearer {{merchantKey}}'

              # Take another business onto the platform
              curl -s {{url}}/v1/merchants -H 'Authorization: Bearer {{instance.Secrets.PlatformKey}}' \
                -H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' \
                -d '{"name":"Corner Shop","country":"DE"}'

              # What the acquirer really did
              curl -s {{acquirer}}/control/journal -H 'Authorization: Bearer {{instance.Secrets.AcquirerKey}}'

              # Look into the database
              {{instance.Psql}}

            """);
    }
}
