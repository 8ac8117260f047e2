using Microsoft.Extensions.Hosting;
using Payments.Domain.Messaging;
using Payments.TestHooks.Bugs;

namespace Payments.TestHooks;

/// <summary>
/// The changes that tests make to the app: a sender that follows the driven clock, a crash at a given step, and one deliberate bug.
/// </summary>
internal static class AppHooks
{
    public static void AddTo(IHostBuilder host)
    {
        CrashPoint.Begin();
        host.ConfigureServices((_, services) =>
        {
            if (Environment.GetEnvironmentVariable(DrivenClock.Variable) is { Length: > 0 })
                services.Decorate<IMessageSender>((provider, sender) => new DrivenSender(provider, sender));
            if (Environment.GetEnvironmentVariable(Mutations.Variable) is { Length: > 0 } mutation)
                Mutations.Apply(mutation, services);
        });
    }
}
