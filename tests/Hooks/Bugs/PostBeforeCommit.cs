using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Payments.Domain.Ledger;
using Payments.Domain.Observability;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: the ledger's journals are committed before the rest of their outcome.</summary>
internal sealed class PostBeforeCommit(LedgerPosting ledger, TimeProvider time) : IHostedService
{
    public static void AddTo(IServiceCollection services) => services.AddHostedService<PostBeforeCommit>();

    public Task StartAsync(CancellationToken cancellationToken)
    {
        PaymentEvents.Subscribe((step, content) =>
        {
            if (step == PaymentSteps.OutcomeDecided && content is PaymentStep { Transaction: { } transaction, Journals: { Count: > 0 } journals })
                Post(transaction, journals);
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Post(NpgsqlTransaction transaction, IList<Journal> journals)
    {
        try
        {
            var connection = transaction.Connection!;
            ledger.PostAsync(connection, transaction, [.. journals], time.GetUtcNow(), CancellationToken.None).GetAwaiter().GetResult();
            using var early = new NpgsqlCommand("COMMIT; BEGIN", connection, transaction);
            early.ExecuteNonQuery();
            journals.Clear();
        }
        catch (NpgsqlException)
        {
            // The connection is lost, and the batch fails with it.
        }
    }
}
